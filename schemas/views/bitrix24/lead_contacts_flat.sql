SELECT
    l.id AS lead_id,
    phone.typed[1] AS phone,
    phone.e164[1] AS phone_e164,
    email.typed[1] AS email,
    messenger.typed[1] AS messenger,
    messenger.kind[1] AS messenger_kind,
    messenger.open_line AS open_line,
    phone.typed AS phones,
    phone.e164 AS phones_e164,
    email.typed AS emails,
    messenger.typed AS messengers,
    messenger.kind AS messenger_kinds
FROM {dataset}.leads AS l
LEFT JOIN (
    SELECT lead_id, array_agg(value ORDER BY position, id) AS typed, array_agg(e164 ORDER BY position, id) AS e164
    FROM {dataset}.lead_phones
    GROUP BY lead_id
) AS phone ON phone.lead_id = l.id
LEFT JOIN (
    SELECT lead_id, array_agg(value ORDER BY position, id) AS typed
    FROM {dataset}.lead_emails
    GROUP BY lead_id
) AS email ON email.lead_id = l.id
LEFT JOIN (
    SELECT
        lead_id,
        array_agg(value ORDER BY position, id) AS typed,
        array_agg(value_type ORDER BY position, id) AS kind,
        -- imol|livechat|1|…: the second part names the messenger behind the open line
        (array_agg(nullif(split_part(value, '|', 2), '') ORDER BY position, id) FILTER (WHERE value LIKE 'imol|%'))[1]
            AS open_line
    FROM {dataset}.lead_ims
    GROUP BY lead_id
) AS messenger ON messenger.lead_id = l.id
WHERE l.deleted_at IS NULL AND l.out_of_sight_at IS NULL
