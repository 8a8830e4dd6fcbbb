"""Delta Lake and Iceberg tables in a folder or a bucket, held to the same contract as a database.

dlt's filesystem destination can only insert and update rows there; what replaces rows, keeps a chain of tables whole
and reads tables back is here. Nothing of it needs DuckDB's extensions.
"""
