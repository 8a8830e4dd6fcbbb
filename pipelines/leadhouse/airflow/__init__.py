"""leadhouse in Airflow 3: connection types, a hook, operators, a retry policy, a failure notifier, assets.

DAG files import from here, so nothing in this package loads dlt, Arrow or a database driver before a task runs.
"""
