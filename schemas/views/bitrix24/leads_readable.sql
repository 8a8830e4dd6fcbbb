-- The two placeholders stand for the portal's own fields under their titles, made from lead_fields
-- (leadhouse/bitrix24/custom_part.py).
SELECT
    l.id,
    l.title,
    nullif(concat_ws(' ', l.name, l.second_name, l.last_name), '') AS person,
    l.company_title AS company,
    l.status_id AS stage_id,
    coalesce(stage.name, l.status_id) AS stage,
    CASE l.status_semantic_id WHEN 'P' THEN 'open' WHEN 'S' THEN 'won' WHEN 'F' THEN 'lost' END AS stage_kind,
    l.source_id,
    coalesce(source.name, l.source_id) AS source,
    l.source_description,
    l.assigned_by_id AS responsible_id,
    coalesce(
        nullif(concat_ws(' ', responsible.name, responsible.last_name), ''),
        'user ' || CAST(l.assigned_by_id AS TEXT)
    ) AS responsible,
    coalesce(
        nullif(concat_ws(' ', creator.name, creator.last_name), ''), 'user ' || CAST(l.created_by_id AS TEXT)
    ) AS created_by,
    coalesce(
        nullif(concat_ws(' ', modifier.name, modifier.last_name), ''), 'user ' || CAST(l.modify_by_id AS TEXT)
    ) AS modified_by,
    l.opportunity AS amount,
    l.currency_id AS currency,
    coalesce(currency.full_name, l.currency_id) AS currency_name,
    l.date_create AS created_at,
    l.date_modify AS modified_at,
    l.moved_time AS moved_at,
    l.date_closed AS closed_at,
    l.last_activity_time AS last_activity_at,
    l.has_phone,
    l.has_email,
    l.has_imol AS has_open_line,
    l.is_return_customer,
    l.utm_source,
    l.utm_medium,
    l.utm_campaign,
    l.utm_content,
    l.utm_term{custom_columns}
FROM {dataset}.leads AS l
LEFT JOIN {dataset}.statuses AS stage ON stage.entity_id = 'STATUS' AND stage.status_id = l.status_id
LEFT JOIN {dataset}.statuses AS source ON source.entity_id = 'SOURCE' AND source.status_id = l.source_id
LEFT JOIN {dataset}.users AS responsible ON responsible.id = l.assigned_by_id
LEFT JOIN {dataset}.users AS creator ON creator.id = l.created_by_id
LEFT JOIN {dataset}.users AS modifier ON modifier.id = l.modify_by_id
LEFT JOIN {dataset}.currencies AS currency ON currency.currency = l.currency_id{custom_joins}
WHERE l.deleted_at IS NULL AND l.out_of_sight_at IS NULL
