"""What viewers of a bot see: values made from its tree, its events and its errors, and the streams of them."""
