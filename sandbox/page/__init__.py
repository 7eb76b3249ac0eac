"""A page in front of the local Discord: everyone who opens it sees the same servers, and acts as whom they choose."""
