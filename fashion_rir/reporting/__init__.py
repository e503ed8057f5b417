"""Running the notebooks, the HTML report, cards, and the README's table."""
