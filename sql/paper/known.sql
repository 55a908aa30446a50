-- Which of these slips the database has, and as what. $1 slip numbers.
SELECT slip_no, hash, content FROM his_emergency.slip WHERE slip_no = ANY ($1)
