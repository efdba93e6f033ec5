"""Pure decisions: no clock, no chance, no input or output; all of them come in as arguments."""
