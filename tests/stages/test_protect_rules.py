"""Which figures protect shows, how it rounds them and why it withholds one: rule by rule, in tables to check by eye."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from clinic_outcomes.protect import protect, released_folder
from clinic_outcomes.protect.planning import engineers_file
from clinic_outcomes.protect.policy import load_policy
from clinic_outcomes.settings import Settings
from tests.support.release_marts import build_marts

MEASURES = """
measure  | section   | sort_order | label             | figure_type | unit                         | contributors | quantity | interval_number
people   | treatment | 10         | People treated    | count       | patients                     | patient      | ''       | -
events   | safety    | 20         | Adverse events    | count       | events                       | event        | ''       | -
share    | outcomes  | 30         | Share improved    | rate        | percent                      | patient      | ''       | -
change   | outcomes  | 40         | PCL-5 change      | mean        | points                       | patient      | ''       | -
per_head | safety    | 50         | Events per person | mean        | events per patient           | patient      | ''       | -
dose     | treatment | 55         | Dose by weight    | mean        | mg/kg                        | session      | ''       | -
kept_out | quality   | 60         | Rows kept out     | rate        | percent                      | row          | ''       | -
rows_in  | quality   | 70         | Rows delivered    | count       | rows                         | row          | ''       | -
watched  | treatment | 80         | Sessions watched  | rate        | percent                      | session      | ''       | -
spread   | outcomes  | 90         | SD of the change  | model_value | points                       | patient      | ''       | -
ratio    | outcomes  | 91         | Seen to expected  | model_value | ratio                        | patient      | ''       | -
per_100  | safety    | 92         | Events, sessions  | model_value | events per 100 sessions      | patient      | ''       | -
per_year | safety    | 93         | Events, years     | model_value | events per 100 patient-years | patient      | ''       | -
first    | safety    | 94         | First events      | model_value | people per 100 patient-years | patient      | ''       | -
onset    | safety    | 95         | Median onset      | model_value | minutes                      | event        | ''       | -
pressure | safety    | 96         | Rise in pressure  | mean        | mmHg                         | session      | ''       | -

serious_event_share                 | safety   | 97  | Serious events     | rate        | percent                 | patient | ''           | -
events_per_patient                  | safety   | 98  | Events each        | mean        | events per patient      | patient | ''           | -
serious_event_rate_per_100_sessions | safety   | 99  | Serious, sessions  | model_value | events per 100 sessions | event   | ''           | -
scored                              | outcomes | 100 | Scored before, now | rate        | percent                 | patient | paired_share | -

kept_week_1  | outcomes | 101 | Kept, week 1  | life_table_row | percent | patient | sustained_response | 1
kept_week_2  | outcomes | 102 | Kept, week 2  | life_table_row | percent | patient | sustained_response | 2
kept_week_3  | outcomes | 103 | Kept, week 3  | life_table_row | percent | patient | sustained_response | 3
kept_week_4  | outcomes | 104 | Kept, week 4  | life_table_row | percent | patient | sustained_response | 4
kept_week_5  | outcomes | 105 | Kept, week 5  | life_table_row | percent | patient | sustained_response | 5
kept_week_6  | outcomes | 106 | Kept, week 6  | life_table_row | percent | patient | sustained_response | 6
kept_week_7  | outcomes | 107 | Kept, week 7  | life_table_row | percent | patient | sustained_response | 7
kept_week_10 | outcomes | 110 | Kept, week 10 | life_table_row | percent | patient | sustained_response | 10
free_week_4  | outcomes | 120 | Free, week 4  | life_table_row | percent | patient | free               | 4
"""  # noqa: E501

# The expected columns are worked out by hand from the policy in words, not by the code.
# `-` is empty; `hidden` says withheld.
CASES = """
measure  | clinic_id | category    | numerator | denominator | patients | clinics | shown  | upper | of
people   | alder     | none        | 0         | -           | 0        | 1       | 0      | -     | -
people   | alder     | one         | 1         | -           | 1        | 1       | hidden | -     | -
people   | alder     | twelve      | 12        | -           | 12       | 1       | hidden | -     | -
people   | alder     | thirteen    | 13        | -           | 13       | 1       | 15     | -     | -
people   | alder     | seventeen   | 17        | -           | 17       | 1       | 15     | -     | -
people   | alder     | eighteen    | 18        | -           | 18       | 1       | 20     | -     | -
people   | alder     | many        | 1237      | -           | 1237     | 1       | 1235   | -     | -
people   | network   | three       | 400       | -           | 400      | 3       | hidden | -     | -
people   | network   | four        | 400       | -           | 400      | 4       | 400    | -     | -
people   | network   | none        | 0         | -           | 0        | 0       | 0      | -     | -
people   | network   | none_of_3   | 0         | -           | 0        | 3       | hidden | -     | -
events   | alder     | of_one      | 13        | -           | 1        | 1       | hidden | -     | -
events   | alder     | of_twelve   | 90        | -           | 12       | 1       | hidden | -     | -
events   | alder     | of_thirteen | 90        | -           | 13       | 1       | 90     | -     | -
events   | alder     | of_unknown  | 90        | -           | -        | 1       | hidden | -     | -
share    | alder     | of_24       | 13        | 24          | 24       | 1       | hidden | -     | -
share    | alder     | of_25       | 13        | 25          | 25       | 1       | hidden | -     | -
share    | alder     | of_26       | 13        | 26          | 26       | 1       | 50     | -     | 25
share    | alder     | twelve      | 12        | 100         | 100      | 1       | hidden | -     | -
share    | alder     | all_but_12  | 88        | 100         | 100      | 1       | hidden | -     | -
share    | alder     | few_people  | 50        | 100         | 12       | 1       | hidden | -     | -
share    | network   | 3_clinics   | 50        | 100         | 100      | 3       | hidden | -     | -
change   | alder     | of_24       | -480.0    | 24          | 24       | 1       | hidden | -     | -
change   | alder     | few_people  | -600.0    | 30          | 12       | 1       | hidden | -     | -
change   | alder     | no_people   | 0.0       | 30          | 0        | 1       | hidden | -     | -
per_head | alder     | twelve      | 12        | 100         | 100      | 1       | hidden | -     | -
kept_out | alder     | few_rows    | 0         | 649         | -        | 1       | hidden | -     | -
kept_out | alder     | none        | 0         | 650         | -        | 1       | 0      | 2     | 650
kept_out | alder     | five        | 5         | 650         | -        | 1       | 0      | 2     | 650
kept_out | alder     | two_percent | 20        | 1000        | -        | 1       | 2      | 5     | 1000
kept_out | alder     | all         | 1000      | 1000        | -        | 1       | 50     | 100   | 1000
rows_in  | alder     | twelve      | 12        | -           | -        | 1       | hidden | -     | -
rows_in  | alder     | thirteen    | 13        | -           | -        | 1       | 15     | -     | -
"""
# A step by the denominator as shown: 97 is shown as 95, 98 as 100, 497 as 495 and 498 as 500.
STEPS = """
measure  | clinic_id | category   | numerator | denominator | patients | clinics | step | shown | of
share    | alder     | 52.5_of_40 | 21        | 40          | 40       | 1       | 5    | 55    | 40
share    | alder     | 51.5_of_97 | 50        | 97          | 97       | 1       | 5    | 50    | 95
share    | alder     | 51.0_of_98 | 50        | 98          | 98       | 1       | 2    | 52    | 100
share    | alder     | half_up    | 26        | 200         | 200      | 1       | 2    | 14    | 200
share    | alder     | under_half | 259       | 2000        | 2000     | 1       | 1    | 13    | 2000
share    | alder     | of_497     | 254       | 497         | 497      | 1       | 2    | 52    | 495
share    | alder     | of_498     | 254       | 498         | 498      | 1       | 1    | 51    | 500
share    | alder     | half_of_1  | 125       | 1000        | 1000     | 1       | 1    | 13    | 1000
share    | alder     | below_half | 124       | 1000        | 1000     | 1       | 1    | 12    | 1000
change   | alder     | of_25      | -480.0    | 25          | 25       | 1       | 2    | -20   | 25
change   | alder     | half       | -120.0    | 40          | 40       | 1       | 2    | -2    | 40
change   | alder     | beyond     | -120.4    | 40          | 40       | 1       | 2    | -4    | 40
change   | alder     | up         | 120.0     | 40          | 40       | 1       | 2    | 4     | 40
change   | alder     | half_100   | -250.0    | 100         | 100      | 1       | 1    | -2    | 100
change   | alder     | beyond_100 | -250.4    | 100         | 100      | 1       | 1    | -3    | 100
change   | alder     | up_100     | 250.0     | 100         | 100      | 1       | 1    | 3     | 100
per_head | alder     | of_90      | 27        | 90          | 90       | 1       | 0.2  | 0.4   | 90
per_head | alder     | of_100     | 145       | 100         | 100      | 1       | 0.1  | 1.5   | 100
dose     | alder     | of_40      | 20.0      | 40          | 40       | 1       | 0.1  | 0.5   | 40
dose     | alder     | of_400     | 180.0     | 400         | 400      | 1       | 0.1  | 0.5   | 400
pressure | alder     | half_up    | 520       | 40          | 40       | 1       | 2    | 14    | 40
pressure | alder     | half_100   | 1250      | 100         | 100      | 1       | 1    | 13    | 100
"""
# Enough people and clinics are behind these; who of them has a part in the numerator is what differs.
PEOPLE_IN_NUMERATOR = """
measure  | clinic_id | category       | numerator | denominator | patients | clinics | numerator_patients | shown  | of
per_head | alder     | 13_of_one      | 13        | 100         | 100      | 1       | 1                  | hidden | -
per_head | alder     | of_twelve      | 50        | 100         | 100      | 1       | 12                 | hidden | -
per_head | alder     | of_thirteen    | 50        | 100         | 100      | 1       | 13                 | 0.5    | 100
per_head | alder     | of_unknown     | 50        | 100         | 100      | 1       | -                  | hidden | -
watched  | alder     | of_one         | 60        | 100         | 40       | 1       | 1                  | hidden | -
watched  | alder     | of_thirteen    | 60        | 100         | 40       | 1       | 13                 | 60     | 100
share    | alder     | of_its_own     | 50        | 100         | 100      | 1       | 50                 | 50     | 100
share    | alder     | of_no_patients | 0         | 100         | 0        | 1       | 0                  | hidden | -
pressure | alder     | few_people     | 500       | 40          | 12       | 1       | 12                 | hidden | -
"""
CLINICS_IN_NUMERATOR = """
measure     | clinic_id | category    | numerator | denominator | patients | clinics | numerator_clinics | shown  | of
per_head    | network   | of_three    | 50        | 100         | 100      | 4       | 3                 | hidden | -
per_head    | network   | of_four     | 50        | 100         | 100      | 4       | 4                 | 0.5    | 100
share       | network   | of_one      | 50        | 100         | 100      | 5       | 1                 | hidden | -
share       | network   | of_three    | 50        | 100         | 100      | 5       | 3                 | hidden | -
share       | network   | of_four     | 50        | 100         | 100      | 5       | 4                 | 50     | 100
share       | network   | of_unknown  | 50        | 100         | 100      | 5       | -                 | hidden | -
share       | network   | all_but_12  | 88        | 100         | 100      | 4       | 4                 | hidden | -
scored      | network   | of_nobody   | 0         | 100         | 100      | 4       | 0                 | 0      | 100
scored      | network   | of_all      | 100       | 100         | 100      | 4       | 4                 | 100    | 100
kept_week_1 | network   | 3_clinics   | 0         | 100         | 100      | 3       | 0                 | hidden | -
kept_week_1 | network   | no_events   | 0         | 100         | 100      | 4       | 0                 | 100    | 100
kept_week_1 | network   | events_of_3 | 40        | 100         | 100      | 4       | 3                 | hidden | -
kept_week_1 | network   | events_of_4 | 40        | 100         | 100      | 4       | 4                 | 60     | 100
"""
ROWS_IN_NUMERATOR = """
measure  | clinic_id | category | numerator | denominator | clinics | numerator_clinics | shown  | upper | of
kept_out | alder     | rows     | 100       | 1000        | 1       | 1                 | 10     | 25    | 1000
kept_out | network   | three    | 100       | 1000        | 4       | 3                 | hidden | -     | -
kept_out | network   | four     | 100       | 1000        | 4       | 4                 | 10     | 25    | 1000
kept_out | network   | few_rows | 12        | 1000        | 4       | 4                 | 0      | 2     | 1000
kept_out | network   | none     | 0         | 1000        | 4       | 0                 | 0      | 2     | 1000
"""
# Five clinics are behind each. `1st` is what the largest of them holds, `both` what the two largest do together.
DOMINATED = """
measure | clinic_id | category     | numerator | numerator_largest | numerator_two_largest | denominator | denominator_largest | denominator_two_largest | patients | clinics | shown  | of
people  | network   | 80_percent   | 400       | 320               | 380                   | -           | -                   | -                       | 400      | 5       | 400    | -
people  | network   | over_80      | 400       | 321               | 380                   | -           | -                   | -                       | 400      | 5       | hidden | -
people  | network   | 12_of_others | 400       | 200               | 388                   | -           | -                   | -                       | 400      | 5       | hidden | -
people  | network   | 13_of_others | 400       | 200               | 387                   | -           | -                   | -                       | 400      | 5       | 400    | -
people  | network   | 0_of_others  | 400       | 200               | 400                   | -           | -                   | -                       | 400      | 5       | 400    | -
people  | network   | unknown      | 400       | -                 | -                     | -           | -                   | -                       | 400      | 5       | hidden | -
people  | network   | none         | 0         | -                 | -                     | -           | -                   | -                       | 0        | 5       | 0      | -
rows_in | network   | over_80      | 4000      | 3201              | 3300                  | -           | -                   | -                       | -        | 5       | hidden | -
share   | network   | balanced     | 200       | 100               | 150                   | 400         | 200                 | 300                     | 400      | 5       | 50     | 400
share   | network   | many_of_one  | 200       | 161               | 180                   | 400         | 200                 | 300                     | 400      | 5       | hidden | -
share   | network   | mostly_one   | 200       | 100               | 150                   | 400         | 321                 | 340                     | 400      | 5       | hidden | -
share   | network   | few_others   | 200       | 100               | 188                   | 400         | 200                 | 300                     | 400      | 5       | hidden | -
share   | network   | few_of_few   | 200       | 100               | 187                   | 400         | 200                 | 388                     | 400      | 5       | hidden | -
share   | network   | unknown_n    | 200       | -                 | -                     | 400         | 200                 | 300                     | 400      | 5       | hidden | -
share   | network   | unknown_d    | 200       | 100               | 150                   | 400         | -                   | -                       | 400      | 5       | hidden | -
scored  | network   | of_nobody    | 0         | -                 | -                     | 400         | 200                 | 300                     | 400      | 5       | 0      | 400
change  | network   | sum_of_any   | -4000     | -                 | -                     | 400         | 200                 | 300                     | 400      | 5       | -10    | 400
change  | network   | mostly_one   | -4000     | -                 | -                     | 400         | 321                 | 340                     | 400      | 5       | hidden | -
spread  | network   | unknown      | -         | -                 | -                     | 400         | -                   | -                       | 400      | 5       | hidden | -
per_100 | network   | many_of_one  | 200       | 161               | 180                   | 400         | 200                 | 300                     | 400      | 5       | hidden | -
kept_out | network   | many_of_one  | 100       | 81                | 90                    | 1000        | 300                 | 500                     | -        | 5       | hidden | -
kept_week_1 | network | many_of_one | 100      | 81                | 86                    | 400         | 200                 | 300                     | 400      | 5       | hidden | -
kept_week_1 | network | balanced    | 100      | 50                | 86                    | 400         | 200                 | 300                     | 400      | 5       | 76     | 400
"""  # noqa: E501
REMAINDER_OF_TWO = """
measure | clinic_id | category     | numerator | denominator | patients | clinics | remainder_two_largest | shown  | of
share   | network   | 12_of_others | 200       | 400         | 400      | 5       | 188                   | hidden | -
share   | network   | 13_of_others | 200       | 400         | 400      | 5       | 187                   | 50     | 400
share   | network   | 0_of_others  | 200       | 400         | 400      | 5       | 200                   | 50     | 400
share   | network   | unknown      | 200       | 400         | 400      | 5       | -                     | hidden | -
scored  | network   | none_left    | 400       | 400         | 400      | 5       | -                     | 100    | 400
"""
# `share` is on no list; of those listed, `serious_event_share` may be of nobody, `scored` of nobody or all.
ALL_OR_NONE = """
measure             | clinic_id | category     | numerator | denominator | patients | clinics | shown  | of
share               | alder     | none         | 0         | 90          | 90       | 1       | hidden | -
share               | alder     | all          | 90        | 90          | 90       | 1       | hidden | -
share               | alder     | rounds_to_0  | 14        | 3000        | 3000     | 1       | hidden | -
share               | alder     | rounds_to_1  | 15        | 3000        | 3000     | 1       | 1      | 3000
share               | alder     | rounds_to_99 | 2984      | 3000        | 3000     | 1       | 99     | 3000
share               | alder     | rounds_up    | 2985      | 3000        | 3000     | 1       | hidden | -
serious_event_share | alder     | none_of_24   | 0         | 24          | 24       | 1       | hidden | -
serious_event_share | alder     | none_of_25   | 0         | 25          | 25       | 1       | 0      | 25
serious_event_share | alder     | all          | 90        | 90          | 90       | 1       | hidden | -
scored              | alder     | none         | 0         | 90          | 90       | 1       | 0      | 90
scored              | alder     | all          | 90        | 90          | 90       | 1       | 100    | 90
per_head            | alder     | none         | 0         | 90          | 90       | 1       | hidden | -
events_per_patient  | alder     | none         | 0         | 90          | 90       | 1       | 0      | 90
change              | alder     | none         | 0         | 90          | 90       | 1       | 0      | 90
free_week_4         | alder     | none_lost    | 0         | 90          | 90       | 1       | hidden | -
kept_week_4         | alder     | none_lost    | 0         | 90          | 90       | 1       | 100    | 90
kept_week_4         | alder     | all_lost     | 90        | 90          | 90       | 1       | hidden | -
ratio               | alder     | none         | 0         | 90          | 90       | 1       | hidden | -
per_100             | alder     | none         | 0         | 90          | 90       | 1       | hidden | -
people              | alder     | none         | 0         | -           | 0        | 1       | 0      | -
"""
# `numerator` is events so far, `denominator` those at risk when the week begins. A category is a table of its own.
LIFE_TABLES = """
measure      | clinic_id | category    | numerator | denominator | value    | patients | clinics | shown  | of
kept_week_1  | alder     | whole       | 0         | 200         | 1.000000 | 200      | 1       | 100    | 200
kept_week_2  | alder     | whole       | 5         | 198         | 0.974747 | 198      | 1       | hidden | -
kept_week_3  | alder     | whole       | 13        | 193         | 0.934343 | 193      | 1       | 94     | 195
kept_week_4  | alder     | whole       | 13        | 183         | 0.934343 | 183      | 1       | 94     | 185
kept_week_5  | alder     | whole       | 20        | 175         | 0.896969 | 175      | 1       | hidden | -
kept_week_6  | alder     | whole       | 25        | 160         | 0.868939 | 160      | 1       | hidden | -
kept_week_7  | alder     | whole       | 26        | 151         | 0.863184 | 151      | 1       | 86     | 150
kept_week_4  | birch     | whole       | 20        | 151         | 0.867550 | 151      | 1       | 86     | 150
free_week_4  | alder     | whole       | 20        | 151         | 0.867550 | 151      | 1       | 86     | 150
kept_week_7  | alder     | tenth       | 13        | 100         | 0.870000 | 100      | 1       | 88     | 100
kept_week_10 | alder     | tenth       | 20        | 80          | 0.793875 | 80       | 1       | hidden | -
kept_week_1  | alder     | of_24       | 0         | 24          | 1.000000 | 24       | 1       | hidden | -
kept_week_1  | alder     | of_25       | 0         | 25          | 1.000000 | 25       | 1       | 100    | 25
kept_week_1  | alder     | of_600      | 81        | 600         | 0.865000 | 600      | 1       | 87     | 600
kept_week_1  | alder     | leaves_12   | 28        | 40          | 0.300000 | 40       | 1       | hidden | -
kept_week_1  | alder     | leaves_13   | 27        | 40          | 0.325000 | 40       | 1       | 35     | 40
kept_week_1  | alder     | leaves_15   | 50        | 100         | 0.500000 | 100      | 1       | 50     | 100
kept_week_2  | alder     | leaves_15   | 80        | 45          | 0.166667 | 45       | 1       | 15     | 45
kept_week_1  | alder     | then_12     | 50        | 100         | 0.500000 | 100      | 1       | 50     | 100
kept_week_2  | alder     | then_12     | 80        | 42          | 0.142857 | 42       | 1       | hidden | -
kept_week_1  | alder     | few_people  | 0         | 30          | 1.000000 | 12       | 1       | hidden | -
kept_week_1  | alder     | no_people   | 0         | 30          | 1.000000 | 0        | 1       | hidden | -
"""
MODEL_VALUES = """
measure | clinic_id | category    | numerator | denominator | value     | patients | clinics | shown  | of
spread  | alder     | of_24       | -         | 24          | 12.400000 | 24       | 1       | hidden | -
spread  | alder     | half_up     | -         | 25          | 13.000000 | 25       | 1       | 14     | 25
spread  | alder     | under_half  | -         | 25          | 12.999999 | 25       | 1       | 12     | 25
spread  | alder     | half_of_138 | -         | 138         | 12.500000 | 138      | 1       | 13     | 140
spread  | alder     | few_people  | -         | 30          | 12.500000 | 12       | 1       | hidden | -
spread  | alder     | no_people   | -         | 30          | 12.500000 | 0        | 1       | hidden | -
spread  | network   | 3_clinics   | -         | 300         | 12.500000 | 300      | 3       | hidden | -
spread  | network   | 4_clinics   | -         | 300         | 12.500000 | 300      | 4       | 13     | 300
ratio   | alder     | up          | -         | 60          | 0.900000  | 60       | 1       | 1      | 60
ratio   | alder     | down        | -         | 60          | 0.899999  | 60       | 1       | 0.8    | 60
ratio   | alder     | up_of_100   | -         | 100         | 0.950000  | 100      | 1       | 1      | 100
ratio   | alder     | down_of_100 | -         | 100         | 0.949999  | 100      | 1       | 0.9    | 100
ratio   | alder     | seen_12     | 12        | 60          | 0.600000  | 60       | 1       | hidden | -
ratio   | alder     | seen_13     | 13        | 60          | 0.650000  | 60       | 1       | 0.6    | 60
ratio   | alder     | unseen_12   | 48        | 60          | 2.400000  | 60       | 1       | hidden | -
"""
# `numerator` is the people with an event, `denominator` those treated; the events and sessions of a rate are in `value`
# alone. Medians have no numerator. That all but twelve had an event is told by no rate.
EVENT_RATES = """
measure  | clinic_id | category    | numerator | denominator | value      | patients | clinics | numerator_patients | shown  | of
per_100  | alder     | of_12       | 12        | 400         | 4.000000   | 400      | 1       | 12                 | hidden | -
per_100  | alder     | up_of_40    | 13        | 40          | 6.500000   | 40       | 1       | 13                 | 7      | 40
per_100  | alder     | of_13       | 13        | 400         | 4.250000   | 400      | 1       | 13                 | 4.5    | 400
per_100  | alder     | below_half  | 13        | 400         | 4.249999   | 400      | 1       | 13                 | 4      | 400
per_100  | alder     | of_600      | 13        | 600         | 4.250000   | 600      | 1       | 13                 | 4.3    | 600
per_100  | alder     | all_but_12  | 388       | 400         | 140.000000 | 400      | 1       | 388                | 140    | 400
first    | alder     | all_but_12  | 388       | 400         | 140.000000 | 400      | 1       | 388                | 140    | 400
per_100  | alder     | everyone    | 400       | 400         | 140.000000 | 400      | 1       | 400                | 140    | 400
per_100  | alder     | rounds_to_0 | 13        | 9000        | 0.040000   | 9000     | 1       | 13                 | 0      | 9000
per_year | alder     | up          | 30        | 400         | 12.500000  | 400      | 1       | 30                 | 13     | 400
per_year | alder     | up_of_40    | 20        | 40          | 13.000000  | 40       | 1       | 20                 | 14     | 40
per_year | alder     | of_unknown  | 30        | 400         | 12.500000  | 400      | 1       | -                  | hidden | -
first    | alder     | down        | 30        | 400         | 12.499999  | 400      | 1       | 30                 | 12     | 400
onset    | alder     | up          | -         | 25          | 15.000000  | 25       | 1       | 25                 | 20     | 25
onset    | alder     | down        | -         | 25          | 14.999999  | 25       | 1       | 25                 | 10     | 25
onset    | alder     | up_of_100   | -         | 100         | 12.500000  | 100      | 1       | 100                | 15     | 100
onset    | alder     | of_24       | -         | 24          | 12.500000  | 24       | 1       | 24                 | hidden | -
onset    | alder     | few_people  | -         | 90          | 12.500000  | 12       | 1       | 12                 | hidden | -
onset    | alder     | no_median   | -         | 90          | -          | 90       | 1       | 90                 | hidden | -
per_year | alder     | no_exposure | 30        | 400         | -          | 400      | 1       | 30                 | hidden | -

serious_event_rate_per_100_sessions | alder   | none_of_24 | 0 | 24  | 0.000000 | 24  | 1 | 0 | hidden | -
serious_event_rate_per_100_sessions | alder   | none_of_25 | 0 | 25  | 0.000000 | 25  | 1 | 0 | 0      | 25
serious_event_rate_per_100_sessions | network | none       | 0 | 400 | 0.000000 | 400 | 4 | 0 | 0      | 400
serious_event_rate_per_100_sessions | network | none_of_3  | 0 | 400 | 0.000000 | 400 | 3 | 0 | hidden | -
"""  # noqa: E501
TABLES = (
    *(CASES, STEPS, PEOPLE_IN_NUMERATOR, CLINICS_IN_NUMERATOR, ROWS_IN_NUMERATOR, DOMINATED, REMAINDER_OF_TWO),
    *(ALL_OR_NONE, LIFE_TABLES, MODEL_VALUES, EVENT_RATES),
)


def _cells(table: str) -> list[dict[str, str]]:
    lines = [[cell.strip() for cell in line.split("|")] for line in table.strip().splitlines() if line]
    return [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]


Shown = dict[str, tuple[str, Decimal | None, Decimal | None, Decimal | None, int | None]]


def _protected(home: Path, figures: str) -> Shown:
    """Status, value, upper edge, step and denominator released of each figure, by its id."""
    build_marts(home, measures=MEASURES, figures=figures)
    settings = Settings(home=home)
    protect(settings)
    rows = duckdb.sql(
        f"SELECT figure_id, status, shown_value, shown_upper, shown_step, shown_denominator "
        f"FROM '{released_folder(settings)}/figures.parquet'"
    ).fetchall()
    return {figure_id: (status, *shown) for figure_id, status, *shown in rows}


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Shown]:
    return {table: _protected(tmp_path_factory.mktemp("home"), table) for table in TABLES}


@pytest.mark.parametrize(
    ("table", "case"),
    [
        pytest.param(table, case, id=f"{case['measure']}-{case['clinic_id']}-{case['category']}")
        for table in TABLES
        for case in _cells(table)
    ],
)
def test_each_figure_is_judged_and_rounded_as_the_policy_says(
    table: str, case: dict[str, str], released: dict[str, Shown]
) -> None:
    figure_id = f"{case['measure']}/{case['clinic_id']}/group/{case['category']}"
    status, value, upper, step, denominator = released[table][figure_id]
    if case["shown"] == "hidden":
        assert (status, value, upper, step, denominator) == ("withheld", None, None, None, None)
    else:
        assert status == "shown"
        assert value == Decimal(case["shown"])
        assert upper == (None if case.get("upper", "-") == "-" else Decimal(case["upper"]))
        assert denominator == (None if case["of"] == "-" else int(case["of"]))
        assert "step" not in case or step == Decimal(case["step"])


# The first rule that is broken, and all that are.
REASONS = """
measure     | clinic_id | category | numerator | numerator_largest | numerator_two_largest | denominator | denominator_largest | denominator_two_largest | value    | patients | numerator_patients | clinics | numerator_clinics | reason             | detail
people      | alder     | shown    | 13        | -                 | -                     | -           | -                   | -                       | 13       | 13       | 13                 | 1       | 1                 | shown              | ''
people      | alder     | twelve   | 12        | -                 | -                     | -           | -                   | -                       | 12       | 12       | 12                 | 1       | 1                 | too_few_people     | too_few_people: patients; too_few_people: patients of the numerator; too_few_people: numerator
events      | alder     | of_few   | 90        | -                 | -                     | -           | -                   | -                       | 90       | 90       | 12                 | 1       | 1                 | too_few_people     | too_few_people: patients of the numerator
share       | alder     | 88       | 88        | -                 | -                     | 100         | -                   | -                       | 0.88     | 100      | 88                 | 1       | 1                 | too_few_people     | too_few_people: remainder
share       | alder     | of_24    | 0         | -                 | -                     | 24          | -                   | -                       | 0        | 24       | 0                  | 1       | 1                 | small_denominator  | small_denominator: denominator; all_or_none: nobody
share       | alder     | all      | 90        | -                 | -                     | 90          | -                   | -                       | 1        | 90       | 90                 | 1       | 1                 | all_or_none        | all_or_none: everybody
kept_out    | alder     | of_649   | 100       | -                 | -                     | 649         | -                   | -                       | 0.15     | -        | -                  | 1       | 1                 | small_denominator  | small_denominator: denominator
onset       | alder     | no_end   | -         | -                 | -                     | 90          | -                   | -                       | -        | 90       | 90                 | 1       | 1                 | no_value           | no_value: value
people      | network   | of_3     | 90        | 30                | 60                    | -           | -                   | -                       | 90       | 90       | 90                 | 3       | 3                 | too_few_clinics    | too_few_clinics: clinics; too_few_clinics: clinics of the numerator
share       | network   | in_3     | 90        | 30                | 60                    | 400         | 100                 | 200                     | 0.225    | 400      | 90                 | 4       | 3                 | too_few_clinics    | too_few_clinics: clinics of the numerator
share       | network   | of_one   | 90        | 73                | 77                    | 400         | 321                 | 387                     | 0.225    | 400      | 90                 | 4       | 4                 | dominated          | dominated: numerator; dominated: denominator
share       | network   | of_two   | 90        | 40                | 78                    | 400         | 200                 | 388                     | 0.225    | 400      | 90                 | 4       | 4                 | dominated          | dominated: numerator without the two largest; dominated: denominator without the two largest
spread      | network   | unknown  | -         | -                 | -                     | 400         | -                   | -                       | 12       | 400      | 400                | 4       | 4                 | dominated          | dominated: denominator; dominated: denominator without the two largest
kept_week_1 | alder     | curve    | 13        | -                 | -                     | 200         | -                   | -                       | 0.935    | 200      | 13                 | 1       | 1                 | shown              | ''
kept_week_2 | alder     | curve    | 25        | -                 | -                     | 180         | -                   | -                       | 0.87     | 180      | 25                 | 1       | 1                 | few_events_between | ''
"""  # noqa: E501


def test_why_a_figure_is_withheld_lies_beside_the_marts_and_never_in_the_release(tmp_path: Path) -> None:
    _protected(tmp_path, REASONS)
    released = released_folder(Settings(home=tmp_path))
    path = engineers_file(released, "reasons")
    found = {figure: why for figure, *why in duckdb.sql(f"SELECT figure_id, reason, detail FROM '{path}'").fetchall()}
    expected = {
        f"{case['measure']}/{case['clinic_id']}/group/{case['category']}": [case["reason"], case["detail"].strip("'")]
        for case in _cells(REASONS)
    }
    assert found == expected
    assert {reason for reason, _ in expected.values()} == {
        *("shown", "no_value", "small_denominator", "too_few_people", "too_few_clinics", "dominated", "all_or_none"),
        "few_events_between",
    }
    assert not list(released.glob("*reason*"))
    columns = {
        row[0] for file in released.glob("*.parquet") for row in duckdb.sql(f"DESCRIBE FROM '{file}'").fetchall()
    }
    assert columns.isdisjoint({"reason", "detail"})


def test_policy_names_the_step_that_each_released_value_is_a_multiple_of(released: dict[str, Shown]) -> None:
    policy = load_policy()
    described = {measure["measure"]: measure for measure in _cells(MEASURES)}
    for figures in released.values():
        for figure_id, (_, value, upper, step, denominator) in figures.items():
            measure = described[figure_id.split("/")[0]]
            if value is None or upper is not None:
                assert step is None
            else:
                assert step == policy.rounding_step(measure["figure_type"], measure["unit"], denominator)
                assert value % step == 0
