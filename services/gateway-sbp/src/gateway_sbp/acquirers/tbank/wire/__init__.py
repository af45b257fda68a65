"""T-Bank's words, purely: what is asked, what is answered, what is signed."""
