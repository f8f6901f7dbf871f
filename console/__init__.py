"""The console: pages for the people of the agencies. A door like the others, and blind to them."""
