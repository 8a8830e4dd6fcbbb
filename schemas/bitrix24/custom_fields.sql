SELECT
    CASE WHEN is_multiple THEN 'lead_custom_values' ELSE 'leads' END AS table_name,
    CASE WHEN is_multiple THEN NULL ELSE column_name END AS column_name,
    CASE WHEN is_multiple THEN 'field = ''' || column_name || '''' END AS rows_where,
    title,
    type,
    is_custom
FROM {dataset}.lead_fields
WHERE is_custom OR NOT is_multiple
ORDER BY column_name
