"""The ways a message can leave, behind one port."""
