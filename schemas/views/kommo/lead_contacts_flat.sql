-- Phones, e-mails and messengers are the contacts': the main contact's come first, then the others' as the account has them.
WITH linked AS (
    SELECT
        link.lead_id,
        link.contact_id,
        contact.name,
        row_number() OVER (
            PARTITION BY link.lead_id ORDER BY CASE WHEN link.is_main THEN 0 ELSE 1 END, link.position
        ) AS place
    FROM {dataset}.lead_contacts AS link
    JOIN {dataset}.contacts AS contact
        ON contact.id = link.contact_id AND contact.deleted_at IS NULL AND contact.out_of_sight_at IS NULL
)
SELECT
    l.id AS lead_id,
    main.contact_id,
    main.name AS contact,
    phone.typed[1] AS phone,
    phone.e164[1] AS phone_e164,
    email.typed[1] AS email,
    messenger.typed[1] AS messenger,
    messenger.kind[1] AS messenger_kind,
    phone.typed AS phones,
    phone.e164 AS phones_e164,
    email.typed AS emails,
    messenger.typed AS messengers,
    messenger.kind AS messenger_kinds
FROM {dataset}.leads AS l
LEFT JOIN linked AS main ON main.lead_id = l.id AND main.place = 1
LEFT JOIN (
    SELECT
        linked.lead_id,
        array_agg(p.value ORDER BY linked.place, p.field_id, p.position) AS typed,
        array_agg(p.e164 ORDER BY linked.place, p.field_id, p.position) AS e164
    FROM linked JOIN {dataset}.contact_phones AS p ON p.contact_id = linked.contact_id
    GROUP BY linked.lead_id
) AS phone ON phone.lead_id = l.id
LEFT JOIN (
    SELECT linked.lead_id, array_agg(e.value ORDER BY linked.place, e.field_id, e.position) AS typed
    FROM linked JOIN {dataset}.contact_emails AS e ON e.contact_id = linked.contact_id
    GROUP BY linked.lead_id
) AS email ON email.lead_id = l.id
LEFT JOIN (
    SELECT
        linked.lead_id,
        array_agg(m.value ORDER BY linked.place, m.field_id, m.position) AS typed,
        array_agg(m.value_type ORDER BY linked.place, m.field_id, m.position) AS kind
    FROM linked JOIN {dataset}.contact_ims AS m ON m.contact_id = linked.contact_id
    GROUP BY linked.lead_id
) AS messenger ON messenger.lead_id = l.id
WHERE l.deleted_at IS NULL AND l.out_of_sight_at IS NULL
