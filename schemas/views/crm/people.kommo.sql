SELECT
    'kommo' AS source,
    run.portal,
    link.lead_id,
    person.kind,
    person.value,
    person.e164,
    person.value_type,
    person.contact_id,
    contact.name
FROM (
    SELECT contact_id, 'phone' AS kind, value, e164, value_type FROM {dataset}.contact_phones
    UNION ALL
    SELECT contact_id, 'email', value, NULL, value_type FROM {dataset}.contact_emails
    UNION ALL
    SELECT contact_id, 'im', value, NULL, value_type FROM {dataset}.contact_ims
) AS person
JOIN {dataset}.lead_contacts AS link ON link.contact_id = person.contact_id
JOIN {dataset}.contacts AS contact ON contact.id = person.contact_id AND contact.deleted_at IS NULL
LEFT JOIN (
    SELECT portal FROM {dataset}.sync_runs WHERE portal IS NOT NULL ORDER BY started_at DESC LIMIT 1
) AS run ON true
