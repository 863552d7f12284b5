#!/bin/sh
# Collect every visible sentence of the pages and of the rooms, and merge it into each language's catalog.
# Sentences are marked _('...') in pages and phrase("...") in the rooms (see vocabulary/phrase.py).
set -eu
cd "$(dirname "$0")/.."
CATALOGS=patient_portal/translations
LANGUAGES="es ar"
pybabel=.venv/bin/pybabel
pot=$(mktemp)
trap 'rm -f "$pot"' EXIT

"$pybabel" --quiet extract --mapping-file scripts/babel.cfg --keyword phrase --keyword _l --sort-by-file \
    --add-location file --no-wrap --project patient-portal --version 1 --copyright-holder "the project's authors" \
    --output-file "$pot" \
    patient_portal research consent fhir_bridge notifications database outbound vocabulary templates

for language in $LANGUAGES; do
    po="$CATALOGS/$language/LC_MESSAGES/messages.po"
    if [ -f "$po" ]; then
        "$pybabel" --quiet update --input-file "$pot" --output-dir "$CATALOGS" --locale "$language" --no-wrap \
            --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date
    else
        "$pybabel" --quiet init --input-file "$pot" --output-dir "$CATALOGS" --locale "$language" --no-wrap
    fi
    "$pybabel" --quiet compile --input-file "$po" --output-file "${po%.po}.mo"
    .venv/bin/python scripts/untranslated.py "$po"
done
