"""`duenna top`: a running bot on one screen of a terminal, as a client of its console."""
