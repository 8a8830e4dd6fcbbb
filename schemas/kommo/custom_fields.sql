SELECT
    CASE entity_type WHEN 'leads' THEN 'lead' WHEN 'contacts' THEN 'contact' ELSE 'company' END
        || '_custom_values' AS table_name,
    NULL AS column_name,
    'field_id = ' || CAST(id AS TEXT) AS rows_where,
    name AS title,
    type,
    true AS is_custom
FROM {dataset}.custom_fields
ORDER BY entity_type, sort, id
