"""The law book: packs of rules per region and product, and the code that reads, checks and resolves them."""
