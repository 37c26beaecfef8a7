"""All SQL of storage-uploader. Every function works in the transaction of its caller."""
