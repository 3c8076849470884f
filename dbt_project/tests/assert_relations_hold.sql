-- The exact cells keep every relation; and a cell is the number of every figure that it is in.
with totals as (

    select
        relations.relation_id,
        relations.comparison,
        sum(relations.coefficient * cells.value) as total,
        count(*) - count(cells.value) as unknown_cells
    from {{ ref('agg_relations') }} as relations
    left join {{ ref('agg_cells') }} as cells
        on
            relations.count_id = cells.count_id
            and relations.clinic_id = cells.clinic_id
            and relations.dimension = cells.dimension
            and relations.category = cells.category
    group by relations.relation_id, relations.comparison

),

told as (

    select
        figure_cells.figure_id || ' ' || figure_cells.role as figure_and_role,
        case figure_cells.role
            when 'numerator' then figures.numerator
            when 'denominator' then figures.denominator
            else figures.denominator - figures.numerator
        end as told_value,
        cells.value
    from {{ ref('agg_figure_cells') }} as figure_cells
    inner join {{ ref('agg_figures') }} as figures on figure_cells.figure_id = figures.figure_id
    left join {{ ref('agg_cells') }} as cells
        on
            figure_cells.count_id = cells.count_id
            and figure_cells.clinic_id = cells.clinic_id
            and figure_cells.dimension = cells.dimension
            and figure_cells.category = cells.category
    where figure_cells.role <> 'exposure'

)

select relation_id as broken
from totals
where unknown_cells > 0 or total > 0 or (comparison = '=' and total <> 0)
union all
select figure_and_role as broken
from told
where told_value is distinct from value
