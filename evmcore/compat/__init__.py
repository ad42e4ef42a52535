"""Other packages' interfaces on evmcore: a program that is written for them changes one import."""
