-- Lets what is shown follow the plan of the register and what was given up since. What the rules withhold today stays withheld,
-- whatever was shown of it before.
--
-- Reads refresh (what each figure shows) and repeatable (what was shown of it last); changes judged and released. Done twice it is as
-- done once.
UPDATE judged
SET
    shown = FALSE,
    reason = 'not_refreshed'
FROM refresh
WHERE judged.figure_id = refresh.figure_id AND judged.shown AND refresh.action = 'withheld';

UPDATE judged
SET reason = 'repeated'
FROM refresh
WHERE judged.figure_id = refresh.figure_id AND judged.shown AND refresh.action = 'repeated';

UPDATE released
SET
    shown_value = repeatable.shown_value,
    shown_upper = repeatable.shown_upper,
    shown_step = repeatable.shown_step,
    shown_denominator = repeatable.shown_denominator,
    repeats = repeatable.refreshed_in
FROM repeatable
WHERE
    released.figure_id = repeatable.figure_id
    AND released.figure_id IN (SELECT figure_id FROM refresh WHERE action = 'repeated');

UPDATE released
SET
    status = 'withheld',
    shown_value = NULL,
    shown_upper = NULL,
    shown_step = NULL,
    shown_denominator = NULL,
    repeats = NULL
FROM judged
WHERE released.figure_id = judged.figure_id AND NOT judged.shown;
