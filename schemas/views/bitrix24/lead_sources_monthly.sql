-- Months are those of UTC: the portal does not tell its zone. A sum that its type cannot hold would be an error of the
-- whole view.
SELECT
    counted.month,
    counted.source_id,
    coalesce(source.name, counted.source_id) AS source,
    counted.currency,
    counted.leads,
    counted.won,
    counted.lost,
    counted.open,
    CAST(counted.won AS DOUBLE PRECISION) / counted.leads AS conversion,
    CAST(CASE WHEN abs(counted.amount) < 10000000000000000 THEN counted.amount END AS DECIMAL(18, 2)) AS amount,
    CAST(CASE WHEN abs(counted.won_amount) < 10000000000000000 THEN counted.won_amount END AS DECIMAL(18, 2)) AS won_amount
FROM (
    SELECT
        CAST(date_trunc('month', l.date_create AT TIME ZONE 'UTC') AS DATE) AS month,
        l.source_id,
        l.currency_id AS currency,
        count(*) AS leads,
        count(*) FILTER (WHERE l.status_semantic_id = 'S') AS won,
        count(*) FILTER (WHERE l.status_semantic_id = 'F') AS lost,
        count(*) FILTER (WHERE l.status_semantic_id = 'P') AS open,
        sum(l.opportunity) AS amount,
        sum(l.opportunity) FILTER (WHERE l.status_semantic_id = 'S') AS won_amount
    FROM {dataset}.leads AS l
    WHERE l.deleted_at IS NULL AND l.out_of_sight_at IS NULL
    GROUP BY 1, 2, 3
) AS counted
LEFT JOIN {dataset}.statuses AS source ON source.entity_id = 'SOURCE' AND source.status_id = counted.source_id
