SELECT
    'third' AS source,
    run.portal,
    phone.lead_id,
    'phone' AS kind,
    phone.value,
    phone.e164,
    NULL AS value_type,
    NULL AS contact_id,
    l.title AS name
FROM {dataset}.lead_phones AS phone
JOIN {dataset}.leads AS l ON l.id = phone.lead_id
LEFT JOIN (
    SELECT portal FROM {dataset}.sync_runs WHERE portal IS NOT NULL ORDER BY started_at DESC LIMIT 1
) AS run ON true
