"""Who may come in, whom they may see, and the note that is made of each look."""
