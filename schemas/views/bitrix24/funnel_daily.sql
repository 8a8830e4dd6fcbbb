-- Days are those of UTC: the portal does not tell its zone.
SELECT
    CAST(entry.created_time AT TIME ZONE 'UTC' AS DATE) AS day,
    entry.status_id AS stage_id,
    coalesce(stage.name, entry.status_id) AS stage,
    count(DISTINCT entry.lead_id) AS entered,
    count(DISTINCT entry.lead_id) FILTER (WHERE entry.type_id = 1) AS created,
    count(DISTINCT entry.lead_id) FILTER (WHERE entry.status_semantic_id = 'S') AS won,
    count(DISTINCT entry.lead_id) FILTER (WHERE entry.status_semantic_id = 'F') AS lost
FROM {dataset}.lead_stage_history AS entry
JOIN {dataset}.leads AS l ON l.id = entry.lead_id AND l.deleted_at IS NULL AND l.out_of_sight_at IS NULL
LEFT JOIN {dataset}.statuses AS stage ON stage.entity_id = 'STATUS' AND stage.status_id = entry.status_id
GROUP BY 1, 2, 3
