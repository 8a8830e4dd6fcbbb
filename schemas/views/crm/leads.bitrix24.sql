SELECT
    'bitrix24' AS source,
    run.portal,
    l.id AS lead_id,
    l.title,
    l.opportunity AS amount,
    l.currency_id AS currency,
    coalesce(stage.name, l.status_id) AS stage,
    CASE l.status_semantic_id WHEN 'P' THEN 'open' WHEN 'S' THEN 'won' WHEN 'F' THEN 'lost' END AS stage_kind,
    nullif(concat_ws(' ', owner.name, owner.last_name), '') AS owner,
    l.date_create AS created_at,
    l.date_modify AS modified_at,
    l.date_closed AS closed_at,
    l.deleted_at,
    'https://' || run.portal || '/crm/lead/details/' || CAST(l.id AS TEXT) || '/' AS url
FROM {dataset}.leads AS l
LEFT JOIN {dataset}.statuses AS stage ON stage.entity_id = 'STATUS' AND stage.status_id = l.status_id
LEFT JOIN {dataset}.users AS owner ON owner.id = l.assigned_by_id
LEFT JOIN (
    SELECT portal FROM {dataset}.sync_runs WHERE portal IS NOT NULL ORDER BY started_at DESC LIMIT 1
) AS run ON true
