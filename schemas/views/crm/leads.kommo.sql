SELECT
    'kommo' AS source,
    run.portal,
    l.id AS lead_id,
    l.name AS title,
    -- cents only where they agree with the whole units: the vendor does not say what the field counts
    CASE WHEN trunc(l.price_with_minor_units) = l.price THEN l.price_with_minor_units ELSE l.price END AS amount,
    account.currency,
    coalesce(stage.name, CAST(l.status_id AS TEXT)) AS stage,
    CASE WHEN l.status_id = 142 THEN 'won' WHEN l.status_id = 143 THEN 'lost'
         WHEN l.status_id IS NOT NULL THEN 'open' END AS stage_kind,
    owner.name AS owner,
    l.created_at,
    l.updated_at AS modified_at,
    l.closed_at,
    l.deleted_at,
    'https://' || run.portal || '/leads/detail/' || CAST(l.id AS TEXT) AS url
FROM {dataset}.leads AS l
LEFT JOIN {dataset}.statuses AS stage ON stage.pipeline_id = l.pipeline_id AND stage.id = l.status_id
LEFT JOIN {dataset}.users AS owner ON owner.id = l.responsible_user_id
LEFT JOIN (SELECT currency FROM {dataset}.account LIMIT 1) AS account ON true
LEFT JOIN (
    SELECT portal FROM {dataset}.sync_runs WHERE portal IS NOT NULL ORDER BY started_at DESC LIMIT 1
) AS run ON true
