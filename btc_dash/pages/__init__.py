"""The pages: thin layouts over the answers, and the callbacks that keep them current."""
