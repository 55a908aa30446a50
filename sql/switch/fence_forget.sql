-- Forgets the fence, in the transaction that puts everything back. No parameters.
DELETE FROM his_emergency.fence_part;
DELETE FROM his_emergency.fence;
