-- Months are those of UTC: of zones the account tells names that a database may not know. A sum that its type cannot hold
-- would be an error of the whole view.
SELECT
    counted.month,
    counted.source_id,
    coalesce(counted.source_name, CAST(counted.source_id AS TEXT)) AS source,
    account.currency,
    counted.leads,
    counted.won,
    counted.lost,
    counted.open,
    CAST(counted.won AS DOUBLE PRECISION) / counted.leads AS conversion,
    CAST(CASE WHEN abs(counted.amount) < 10000000000000000 THEN counted.amount END AS DECIMAL(18, 2)) AS amount,
    CAST(CASE WHEN abs(counted.won_amount) < 10000000000000000 THEN counted.won_amount END AS DECIMAL(18, 2)) AS won_amount
FROM (
    SELECT
        CAST(date_trunc('month', l.created_at AT TIME ZONE 'UTC') AS DATE) AS month,
        l.source_id,
        max(l.source_name) AS source_name,
        count(*) AS leads,
        count(*) FILTER (WHERE l.status_id = 142) AS won,
        count(*) FILTER (WHERE l.status_id = 143) AS lost,
        count(*) FILTER (WHERE l.status_id NOT IN (142, 143)) AS open,
        sum(l.amount) AS amount,
        sum(l.amount) FILTER (WHERE l.status_id = 142) AS won_amount
    FROM (
        SELECT
            created_at,
            source_id,
            source_name,
            status_id,
            -- cents only where they agree with the whole units: the vendor does not say what the field counts
            CASE WHEN trunc(price_with_minor_units) = price THEN price_with_minor_units ELSE price END AS amount
        FROM {dataset}.leads
        WHERE deleted_at IS NULL AND out_of_sight_at IS NULL
    ) AS l
    GROUP BY 1, 2
) AS counted
LEFT JOIN (SELECT currency FROM {dataset}.account LIMIT 1) AS account ON true
