-- The two placeholders stand for the account's own fields under their names, made from custom_fields
-- (leadhouse/kommo/custom_part.py).
SELECT
    l.id,
    l.name AS title,
    pipeline.name AS pipeline,
    l.pipeline_id,
    l.status_id AS stage_id,
    coalesce(stage.name, CAST(l.status_id AS TEXT)) AS stage,
    CASE WHEN l.status_id = 142 THEN 'won' WHEN l.status_id = 143 THEN 'lost'
         WHEN l.status_id IS NOT NULL THEN 'open' END AS stage_kind,
    l.source_id,
    coalesce(l.source_name, CAST(l.source_id AS TEXT)) AS source,
    coalesce(reason.name, l.loss_reason_name) AS loss_reason,
    l.responsible_user_id AS responsible_id,
    coalesce(responsible.name, 'user ' || CAST(l.responsible_user_id AS TEXT)) AS responsible,
    CASE WHEN l.created_by = 0 THEN 'robot'
         ELSE coalesce(creator.name, 'user ' || CAST(l.created_by AS TEXT)) END AS created_by,
    CASE WHEN l.updated_by = 0 THEN 'robot'
         ELSE coalesce(modifier.name, 'user ' || CAST(l.updated_by AS TEXT)) END AS modified_by,
    -- cents only where they agree with the whole units: the vendor does not say what the field counts
    CASE WHEN trunc(l.price_with_minor_units) = l.price THEN l.price_with_minor_units ELSE l.price END AS amount,
    account.currency,
    l.created_at,
    l.updated_at AS modified_at,
    l.closed_at,
    l.closest_task_at,
    company.name AS company,
    tag.names AS tags{custom_columns}
FROM {dataset}.leads AS l
LEFT JOIN {dataset}.pipelines AS pipeline ON pipeline.id = l.pipeline_id
LEFT JOIN {dataset}.statuses AS stage ON stage.pipeline_id = l.pipeline_id AND stage.id = l.status_id
LEFT JOIN {dataset}.loss_reasons AS reason ON reason.id = l.loss_reason_id
LEFT JOIN {dataset}.users AS responsible ON responsible.id = l.responsible_user_id
LEFT JOIN {dataset}.users AS creator ON creator.id = l.created_by
LEFT JOIN {dataset}.users AS modifier ON modifier.id = l.updated_by
LEFT JOIN (SELECT currency FROM {dataset}.account LIMIT 1) AS account ON true
LEFT JOIN {dataset}.lead_companies AS link ON link.lead_id = l.id AND link.position = 0
LEFT JOIN {dataset}.companies AS company ON company.id = link.company_id
LEFT JOIN (
    SELECT lead_id, array_agg(name ORDER BY position) AS names FROM {dataset}.lead_tags GROUP BY lead_id
) AS tag ON tag.lead_id = l.id{custom_joins}
WHERE l.deleted_at IS NULL AND l.out_of_sight_at IS NULL
