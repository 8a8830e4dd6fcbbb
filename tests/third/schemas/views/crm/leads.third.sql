SELECT
    'third' AS source,
    run.portal,
    l.id AS lead_id,
    l.title,
    l.worth AS amount,
    'EUR' AS currency,
    NULL AS stage,
    CASE WHEN l.won THEN 'won' ELSE 'open' END AS stage_kind,
    owner.name AS owner,
    NULL AS created_at,
    l.modified_at,
    NULL AS closed_at,
    l.deleted_at,
    'https://' || run.portal || '/leads/' || CAST(l.id AS TEXT) AS url
FROM {dataset}.leads AS l
LEFT JOIN {dataset}.users AS owner ON owner.id = l.owner_id
LEFT JOIN (
    SELECT portal FROM {dataset}.sync_runs WHERE portal IS NOT NULL ORDER BY started_at DESC LIMIT 1
) AS run ON true
