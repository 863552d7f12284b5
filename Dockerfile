# Two stages: everything is installed in the first; the second has no compiler and no package manager of ours.
FROM python:3.11-slim-bookworm AS build
WORKDIR /app
RUN python -m venv /uv && /uv/bin/pip install --no-cache-dir uv==0.13.9
COPY pyproject.toml uv.lock README.md ./
RUN /uv/bin/uv sync --frozen --no-dev --no-install-project
COPY . .
RUN .venv/bin/pybabel --quiet compile --directory patient_portal/translations
RUN /uv/bin/uv sync --frozen --no-dev --no-editable

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin portal
COPY --from=build --chown=root:root /app/.venv /app/.venv
WORKDIR /app
ENV PATH=/app/.venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER portal
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=3s CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
CMD ["portal", "serve", "--host", "0.0.0.0", "--port", "8000", "--processes", "2"]
