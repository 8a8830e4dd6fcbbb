SELECT
    'bitrix24' AS source,
    run.portal,
    person.lead_id,
    person.kind,
    person.value,
    person.e164,
    person.value_type,
    NULL AS contact_id,
    nullif(concat_ws(' ', l.name, l.last_name), '') AS name
FROM (
    SELECT lead_id, 'phone' AS kind, value, e164, value_type FROM {dataset}.lead_phones
    UNION ALL
    SELECT lead_id, 'email', value, NULL, value_type FROM {dataset}.lead_emails
    UNION ALL
    SELECT lead_id, 'im', value, NULL, value_type FROM {dataset}.lead_ims
) AS person
JOIN {dataset}.leads AS l ON l.id = person.lead_id
LEFT JOIN (
    SELECT portal FROM {dataset}.sync_runs WHERE portal IS NOT NULL ORDER BY started_at DESC LIMIT 1
) AS run ON true
