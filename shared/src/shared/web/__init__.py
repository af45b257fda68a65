"""What every page stands on: the base template, its style and script, forms and their guards."""
