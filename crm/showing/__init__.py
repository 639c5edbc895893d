"""What messages and the lines among them show, by what they are: words and shapes that `{% load thread %}` gives to templates."""
