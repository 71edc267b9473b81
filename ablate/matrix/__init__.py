"""Study × method → jobs with content ids, their upstream jobs, and what they cost."""
