"""Kommo's part in the demo."""

from leadhouse.sandbox.story import Question, Story

from .account import Account
from .sandbox import serve

_PIPELINES = Question(
    "What does each pipeline hold, and what does it win? (amounts in the account's currency)",
    """\
SELECT pipelines.name AS pipeline,
       count(*) AS total,
       count(*) FILTER (statuses.kind = 'open') AS open,
       sum(l.price) FILTER (statuses.kind = 'open') AS "open amount",
       count(*) FILTER (statuses.kind = 'won') AS won,
       round(100.0 * won / nullif(count(*) FILTER (statuses.kind <> 'open'), 0), 1) AS "won %"
FROM kommo.leads AS l
JOIN kommo.pipelines ON pipelines.id = l.pipeline_id
JOIN kommo.statuses ON statuses.pipeline_id = l.pipeline_id AND statuses.id = l.status_id
WHERE l.deleted_at IS NULL
GROUP BY pipelines.name, pipelines.sort ORDER BY pipelines.sort""",
    frozenset({"pipeline"}),
)
_LOST = Question(
    "Why are leads lost, and what were they worth?",
    """\
SELECT coalesce(loss_reasons.name, '(no reason)') AS reason,
       count(*) AS lost,
       sum(price) AS amount,
       median(date_diff('day', l.created_at, l.closed_at)) AS "median days"
FROM kommo.leads AS l
LEFT JOIN kommo.loss_reasons ON loss_reasons.id = l.loss_reason_id
WHERE l.status_id = 143 AND l.deleted_at IS NULL
GROUP BY reason ORDER BY lost DESC, reason""",
    frozenset({"reason"}),
)
_NUMBERS = Question(
    "Which numbers do contacts of several open leads share, however each was typed? (people to call once)",
    """\
SELECT e164,
       count(DISTINCT lead_id) AS "open leads",
       count(DISTINCT contact_id) AS contacts,
       list_sort(list(DISTINCT value))[:3] AS "typed as"
FROM crm.people JOIN crm.leads USING (source, portal, lead_id)
WHERE e164 IS NOT NULL AND stage_kind = 'open' AND deleted_at IS NULL
GROUP BY e164 HAVING "open leads" > 1
ORDER BY contacts DESC, "open leads" DESC, e164 LIMIT 6""",
    frozenset({"e164", "typed as"}),
)
STORY = Story(
    portal=Account,
    serve=serve,
    access=lambda account, sandbox: {"base_url": sandbox.url, "access_token": account.token},
    speaks="Kommo's API",
    brings="their contacts with phones and e-mails, companies, custom fields, tags and dictionaries",
    phones_of="one more phone of their main contact",
    phones="""\
SELECT lead_id, list(value ORDER BY contact_phones.position)
FROM kommo.contact_phones JOIN kommo.lead_contacts USING (contact_id) WHERE is_main GROUP BY lead_id""",
    deletions="The account's events told the sync of deleted leads. A comparison of ids finds those they kept quiet:",
    questions=(_PIPELINES, _LOST, _NUMBERS),
)
