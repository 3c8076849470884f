# One image for all Airflow services of docker-compose.yml: the project, installed from its lock.
FROM python:3.11-slim-bookworm

ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    UV_PROJECT_ENVIRONMENT=/opt/venv \
    UV_LINK_MODE=copy \
    PATH=/opt/venv/bin:$PATH \
    AIRFLOW_HOME=/opt/airflow \
    CLINIC_OUTCOMES_PROJECT=/app \
    CLINIC_OUTCOMES_HOME=/data

WORKDIR /app

# What changes seldom comes first, so that a new mapping or model does not install everything again.
COPY pyproject.toml uv.lock README.md LICENSE ./
RUN pip install --no-cache-dir uv==0.13.9 \
    && uv sync --frozen --no-dev --extra compose --no-install-project --no-cache

COPY src src
COPY dags dags
COPY dbt_project dbt_project
COPY expectations expectations
COPY instruments instruments
COPY systems systems
COPY clinics clinics
RUN uv sync --frozen --no-dev --extra compose --no-cache \
    && useradd --uid 50000 --gid 0 --home-dir /opt/airflow --create-home airflow \
    && mkdir -p /data/landing /data/releases /opt/airflow/logs \
    && chown -R airflow:0 /data /opt/airflow

USER airflow
CMD ["airflow", "version"]
