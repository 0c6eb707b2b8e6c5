"""Programs for setting up and measuring the project; the launcher itself imports nothing of them."""
