-- Details name leads, users and codes, never a value of a person.
WITH live AS (
    SELECT id, contact_id, status_id, status_semantic_id, source_id, assigned_by_id, date_create, date_modify, moved_time
    FROM {dataset}.leads
    WHERE deleted_at IS NULL AND out_of_sight_at IS NULL
)
SELECT
    l.id AS lead_id,
    'no contact' AS problem,
    CASE WHEN l.contact_id IS NULL THEN 'no phone, e-mail or messenger'
         ELSE 'no phone, e-mail or messenger of its own; linked to contact ' || CAST(l.contact_id AS TEXT) END AS detail,
    l.date_create AS since
FROM live AS l
WHERE NOT EXISTS (SELECT 1 FROM {dataset}.lead_phones AS p WHERE p.lead_id = l.id)
    AND NOT EXISTS (SELECT 1 FROM {dataset}.lead_emails AS e WHERE e.lead_id = l.id)
    AND NOT EXISTS (SELECT 1 FROM {dataset}.lead_ims AS m WHERE m.lead_id = l.id)
UNION ALL
SELECT
    l.id,
    shared.problem,
    'in ' || CAST(max(shared.leads) AS TEXT) || ' leads, the first is ' || CAST(min(shared.first_lead) AS TEXT),
    l.date_create
FROM (
    SELECT
        held.lead_id,
        held.problem,
        count(*) OVER (PARTITION BY held.problem, held.value) AS leads,
        min(held.lead_id) OVER (PARTITION BY held.problem, held.value) AS first_lead
    FROM (
        SELECT p.lead_id, 'duplicate phone' AS problem, p.e164 AS value
        FROM {dataset}.lead_phones AS p JOIN live ON live.id = p.lead_id
        WHERE p.e164 IS NOT NULL
        UNION
        SELECT e.lead_id, 'duplicate e-mail', lower(trim(e.value))
        FROM {dataset}.lead_emails AS e JOIN live ON live.id = e.lead_id
        WHERE e.value IS NOT NULL
    ) AS held
) AS shared
JOIN live AS l ON l.id = shared.lead_id
WHERE shared.leads > 1
GROUP BY l.id, shared.problem, l.date_create
UNION ALL
SELECT p.lead_id, 'unreadable phone', CAST(count(*) AS TEXT) || ' without an E.164 form: no number, or its country is not known', min(l.date_create)
FROM {dataset}.lead_phones AS p
JOIN live AS l ON l.id = p.lead_id
WHERE p.value IS NOT NULL AND p.e164 IS NULL
GROUP BY p.lead_id
UNION ALL
SELECT l.id, 'stale stage', 'open, in ' || coalesce(stage.name, l.status_id), coalesce(l.moved_time, l.date_create)
FROM live AS l
LEFT JOIN {dataset}.statuses AS stage ON stage.entity_id = 'STATUS' AND stage.status_id = l.status_id
WHERE l.status_semantic_id = 'P' AND coalesce(l.moved_time, l.date_create) < now() - INTERVAL '30 days'
UNION ALL
-- a dictionary that the portal does not give to the webhook is empty: nothing is unknown then
SELECT l.id, 'unknown user', 'responsible is user ' || CAST(l.assigned_by_id AS TEXT), l.date_modify
FROM live AS l
WHERE l.assigned_by_id IS NOT NULL
    AND EXISTS (SELECT 1 FROM {dataset}.users)
    AND NOT EXISTS (SELECT 1 FROM {dataset}.users AS u WHERE u.id = l.assigned_by_id)
UNION ALL
SELECT l.id, 'unknown stage', l.status_id, coalesce(l.moved_time, l.date_create)
FROM live AS l
WHERE l.status_id IS NOT NULL
    AND EXISTS (SELECT 1 FROM {dataset}.statuses)
    AND NOT EXISTS (
        SELECT 1 FROM {dataset}.statuses AS s WHERE s.entity_id = 'STATUS' AND s.status_id = l.status_id
    )
UNION ALL
SELECT l.id, 'unknown source', l.source_id, l.date_create
FROM live AS l
WHERE l.source_id IS NOT NULL
    AND EXISTS (SELECT 1 FROM {dataset}.statuses)
    AND NOT EXISTS (
        SELECT 1 FROM {dataset}.statuses AS s WHERE s.entity_id = 'SOURCE' AND s.status_id = l.source_id
    )
