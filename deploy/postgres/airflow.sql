-- Airflow's own tables, beside the leads. Run when the volume is new.
CREATE DATABASE airflow;
