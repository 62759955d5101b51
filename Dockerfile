# One image for every role: web (as it is), migrate, qcluster, receiver (with another command).

FROM python:3.12-slim AS build
COPY requirements.txt /
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --require-hashes -r /requirements.txt

FROM python:3.12-slim
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
RUN useradd --system --uid 10001 --home-dir /pave --no-create-home pave
WORKDIR /pave
COPY --from=build /venv /venv
COPY . .
# DEBUG in this one step, which needs no secret; static files hold none.
RUN DEBUG=true python manage.py collectstatic --noinput --verbosity=0 \
    && mkdir -p var && chown pave: var
USER pave
ENV DEBUG=false
EXPOSE 9898
# Any answer will do, also 400 where ALLOWED_HOSTS leaves out this address. Other roles turn it off.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD ["python", "-c", \
    "import http.client as h; c = h.HTTPConnection('127.0.0.1', 9898, timeout=4); c.request('GET', '/livez'); exit(c.getresponse().status >= 500)"]
CMD ["gunicorn", "-c", "python:pave.gunicorn", "pave.wsgi"]
