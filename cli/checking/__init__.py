"""An auditor with eyes of his own: reads the tables by SQL alone, and shares no code with the desk that wrote them."""
