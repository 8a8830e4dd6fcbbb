SELECT
    stay.entry_id,
    stay.lead_id,
    stay.stage_id,
    coalesce(stage.name, stay.stage_id) AS stage,
    CASE stay.semantics WHEN 'P' THEN 'open' WHEN 'S' THEN 'won' WHEN 'F' THEN 'lost' END AS stage_kind,
    stay.number,
    stay.entered_at,
    stay.left_at,
    CAST(extract(epoch FROM stay.left_at) - extract(epoch FROM stay.entered_at) AS DOUBLE PRECISION) / 3600 AS hours
FROM (
    SELECT
        entry.id AS entry_id,
        entry.lead_id,
        entry.status_id AS stage_id,
        entry.status_semantic_id AS semantics,
        row_number() OVER of_lead AS number,
        entry.created_time AS entered_at,
        lead(entry.created_time) OVER of_lead AS left_at
    FROM {dataset}.lead_stage_history AS entry
    WINDOW of_lead AS (PARTITION BY entry.lead_id ORDER BY entry.created_time, entry.id)
) AS stay
JOIN {dataset}.leads AS l ON l.id = stay.lead_id AND l.deleted_at IS NULL AND l.out_of_sight_at IS NULL
LEFT JOIN {dataset}.statuses AS stage ON stage.entity_id = 'STATUS' AND stage.status_id = stay.stage_id
