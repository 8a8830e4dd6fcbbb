"""Bitrix24's part in the demo."""

from leadhouse.sandbox.story import Question, Story

from .portal import Portal
from .sandbox import serve

_SOURCES = Question(
    "Where do leads come from, and which sources win? (amounts in the portal's base currency)",
    """\
SELECT coalesce(source.name, '(no source)') AS source,
       count(*) AS total,
       count(*) FILTER (status_semantic_id = 'P') AS open,
       count(*) FILTER (status_semantic_id = 'S') AS won,
       round(100.0 * won / total, 1) AS "won %",
       median(opportunity * rate.amount / rate.amount_cnt)
           FILTER (status_semantic_id = 'S')::DECIMAL(18,2) AS "median won"
FROM bitrix24.leads AS l
LEFT JOIN bitrix24.statuses AS source
       ON source.entity_id = 'SOURCE' AND source.status_id = l.source_id
LEFT JOIN bitrix24.currencies AS rate ON rate.currency = l.currency_id
WHERE l.deleted_at IS NULL
GROUP BY ALL ORDER BY won DESC, total DESC, source LIMIT 8""",
    frozenset({"source"}),
)
_NUMBERS = Question(
    "Which numbers do several open leads share, however each was typed? (duplicates to merge)",
    """\
SELECT e164,
       count(DISTINCT lead_id) AS "open leads",
       count(DISTINCT assigned_by_id) AS owners,
       list_sort(list(DISTINCT value))[:3] AS "typed as"
FROM bitrix24.lead_phones JOIN bitrix24.leads AS l ON l.id = lead_id
WHERE e164 IS NOT NULL AND l.status_semantic_id = 'P' AND l.deleted_at IS NULL
GROUP BY e164 HAVING "open leads" > 1
ORDER BY count(DISTINCT left(value, 4)) DESC, "open leads" DESC, e164 LIMIT 6""",
    frozenset({"e164", "typed as"}),
)
_STAGES = Question(
    "How long do leads stay in each stage, those that moved on and those still in it?",
    """\
WITH stays AS (
  SELECT status_id, epoch(created_time) / 86400 AS came,
         lead(came) OVER (PARTITION BY lead_id ORDER BY id) AS went
  FROM bitrix24.lead_stage_history
)
SELECT stage.name AS stage,
       count(went) AS "moved on",
       round(median(went - came), 1) AS "median days",
       count(*) - count(went) AS "still in it",
       round(median(epoch(now()) / 86400 - came) FILTER (went IS NULL)) AS "median days so far"
FROM stays JOIN bitrix24.statuses AS stage USING (status_id)
WHERE stage.entity_id = 'STATUS'
GROUP BY stage.name, stage.sort ORDER BY stage.sort""",
    frozenset({"stage"}),
)
STORY = Story(
    portal=Portal,
    serve=serve,
    access=lambda _, sandbox: {"webhook_url": sandbox.url},
    speaks="Bitrix24's REST",
    brings="their phones, e-mails, custom fields, stage history and dictionaries",
    phones_of="one more phone",
    phones="SELECT lead_id, list(value ORDER BY position) FROM bitrix24.lead_phones GROUP BY lead_id",
    deletions="Nothing tells a sync of deleted leads. A comparison of ids finds them:",
    questions=(_SOURCES, _NUMBERS, _STAGES),
)
