-- A clinic is in a dimension when it delivers every table that the dimension needs.
{{ clinics_delivering('dimension', ref('dimensions'), ref('dimension_tables')) }}
