-- Details name leads, contacts, users and codes, never a value of a person. The account tells no time of a lead's last
-- change of stage, so there is no stale stage here.
WITH live AS (
    SELECT id, status_id, pipeline_id, responsible_user_id, created_at, updated_at
    FROM {dataset}.leads
    WHERE deleted_at IS NULL AND out_of_sight_at IS NULL
),
linked AS (
    SELECT link.lead_id, link.contact_id
    FROM {dataset}.lead_contacts AS link
    JOIN live ON live.id = link.lead_id
    JOIN {dataset}.contacts AS contact
        ON contact.id = link.contact_id AND contact.deleted_at IS NULL AND contact.out_of_sight_at IS NULL
)
SELECT
    l.id AS lead_id,
    'no contact' AS problem,
    CASE WHEN EXISTS (SELECT 1 FROM linked WHERE linked.lead_id = l.id)
         THEN 'no contact of it has a phone, an e-mail or a messenger' ELSE 'no contact is linked' END AS detail,
    l.created_at AS since
FROM live AS l
WHERE NOT EXISTS (
    SELECT 1 FROM linked JOIN {dataset}.contact_phones AS p ON p.contact_id = linked.contact_id
    WHERE linked.lead_id = l.id
)
AND NOT EXISTS (
    SELECT 1 FROM linked JOIN {dataset}.contact_emails AS e ON e.contact_id = linked.contact_id
    WHERE linked.lead_id = l.id
)
AND NOT EXISTS (
    SELECT 1 FROM linked JOIN {dataset}.contact_ims AS m ON m.contact_id = linked.contact_id
    WHERE linked.lead_id = l.id
)
UNION ALL
-- the same value in several contacts: a contact with several leads is no duplicate
SELECT
    l.id,
    shared.problem,
    'in ' || CAST(max(shared.contacts) AS TEXT) || ' contacts, the first is ' || CAST(min(shared.first_contact) AS TEXT),
    l.created_at
FROM (
    SELECT
        held.contact_id,
        held.problem,
        count(*) OVER (PARTITION BY held.problem, held.value) AS contacts,
        min(held.contact_id) OVER (PARTITION BY held.problem, held.value) AS first_contact
    FROM (
        SELECT p.contact_id, 'duplicate phone' AS problem, p.e164 AS value
        FROM {dataset}.contact_phones AS p JOIN linked ON linked.contact_id = p.contact_id
        WHERE p.e164 IS NOT NULL
        UNION
        SELECT e.contact_id, 'duplicate e-mail', lower(trim(e.value))
        FROM {dataset}.contact_emails AS e JOIN linked ON linked.contact_id = e.contact_id
        WHERE e.value IS NOT NULL
    ) AS held
) AS shared
JOIN linked ON linked.contact_id = shared.contact_id
JOIN live AS l ON l.id = linked.lead_id
WHERE shared.contacts > 1
GROUP BY l.id, shared.problem, l.created_at
UNION ALL
SELECT l.id, 'unreadable phone', CAST(count(*) AS TEXT) || ' without an E.164 form: no number, or its country is not known', l.created_at
FROM {dataset}.contact_phones AS p
JOIN linked ON linked.contact_id = p.contact_id
JOIN live AS l ON l.id = linked.lead_id
WHERE p.value IS NOT NULL AND p.e164 IS NULL
GROUP BY l.id, l.created_at
UNION ALL
-- a dictionary that the account does not give to the token is empty: nothing is unknown then
SELECT l.id, 'unknown user', 'responsible is user ' || CAST(l.responsible_user_id AS TEXT), l.updated_at
FROM live AS l
WHERE l.responsible_user_id IS NOT NULL
    AND EXISTS (SELECT 1 FROM {dataset}.users)
    AND NOT EXISTS (SELECT 1 FROM {dataset}.users AS u WHERE u.id = l.responsible_user_id)
UNION ALL
SELECT l.id, 'unknown stage', CAST(l.status_id AS TEXT), l.updated_at
FROM live AS l
WHERE l.status_id IS NOT NULL
    AND EXISTS (SELECT 1 FROM {dataset}.statuses)
    AND NOT EXISTS (
        SELECT 1 FROM {dataset}.statuses AS s WHERE s.pipeline_id = l.pipeline_id AND s.id = l.status_id
    )
