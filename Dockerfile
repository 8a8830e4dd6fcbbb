# leadhouse in a container of its own, and in Airflow's (--target airflow). docs/deploy.md
ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY pipelines pipelines
COPY schemas schemas
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /dist . \
    && python -m venv /opt/leadhouse \
    && /opt/leadhouse/bin/pip install --no-cache-dir -c constraints.txt "$(ls /dist/*.whl)[notify]" \
    && /opt/leadhouse/bin/pip uninstall --yes pip

FROM apache/airflow:3.3.2 AS airflow
RUN --mount=type=bind,from=build,source=/dist,target=/dist \
    pip install --no-cache-dir "apache-airflow==${AIRFLOW_VERSION}" "$(ls /dist/*.whl)[airflow,notify]"

FROM python:${PYTHON}-slim AS leadhouse
RUN groupadd --gid 10001 leadhouse \
    && useradd --uid 10001 --gid 10001 --home-dir /var/lib/leadhouse --create-home --no-log-init leadhouse
COPY --from=build /opt/leadhouse /opt/leadhouse
ENV PATH=/opt/leadhouse/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    DLT_DATA_DIR=/var/lib/leadhouse/work \
    LEADHOUSE__TO=duckdb:/var/lib/leadhouse/leadhouse.duckdb
USER 10001:10001
WORKDIR /var/lib/leadhouse
VOLUME /var/lib/leadhouse
HEALTHCHECK --interval=5m --timeout=90s --start-period=1h \
    CMD ["leadhouse", "status", "--all", "--max-age", "1h"]
ENTRYPOINT ["leadhouse"]
CMD ["--help"]
