"""The example block: contracts of our own in our own assembly, and the script that makes the block file from them."""
