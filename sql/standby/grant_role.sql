-- Makes a role a member of another. Parameters: role, member.
GRANT {{ role | id }} TO {{ member | id }}
