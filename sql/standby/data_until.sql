-- Where the data of this generation end. No parameters.
SELECT taken_at FROM his_emergency.generation
