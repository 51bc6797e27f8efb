// SPDX-License-Identifier: Apache-2.0
using System;
using System.Globalization;
using System.Text;

namespace Segue
{
    /// <summary>A session's history as CSV: a row for a reading or a mark, by time.</summary>
    public static class HistoryCsv
    {
        /// <summary>The first row.</summary>
        public const string Header = "time_s,what,buffer_ms,round_trip_ms,rate_ppm,adherence,underruns,late_takes,connection,state,text";

        /// <summary>The text, with \n at the ends of lines; times count from the first row.</summary>
        public static string Write(SessionHistory history)
        {
            var to = new StringBuilder(Header).Append('\n');
            var readings = history.Readings;
            var marks = history.Marks;
            double first = Math.Min(
                readings.Count > 0 ? readings[0].Time : double.PositiveInfinity, marks.Count > 0 ? marks[0].Time : double.PositiveInfinity);
            int mark = 0;
            for (int i = 0; i < readings.Count; i++)
            {
                for (; mark < marks.Count && marks[mark].Time <= readings[i].Time; mark++) Row(to, first, marks[mark]);
                Row(to, first, readings[i]);
            }
            for (; mark < marks.Count; mark++) Row(to, first, marks[mark]);
            return to.ToString();
        }

        private static void Row(StringBuilder to, double first, SessionReading reading)
        {
            Number(to, reading.Time - first).Append(",reading,");
            Number(to, reading.BufferMs).Append(',');
            Number(to, reading.RoundTripMs).Append(',');
            Number(to, reading.RatePpm).Append(',');
            if (!float.IsNaN(reading.Adherence)) Number(to, reading.Adherence);
            to.Append(',');
            Number(to, reading.Underruns).Append(',');
            Number(to, reading.LateTakes).Append(',');
            to.Append(reading.Connection.ToString().ToLowerInvariant()).Append(',');
            Text(to, reading.MusicState ?? "").Append(",\n");
        }

        private static void Row(StringBuilder to, double first, SessionMark mark)
        {
            Number(to, mark.Time - first).Append(',').Append(mark.Kind.ToString().ToLowerInvariant()).Append(",,,,,,,,,");
            Text(to, mark.Text).Append('\n');
        }

        private static StringBuilder Number(StringBuilder to, double value) => to.Append(value.ToString("0.###", CultureInfo.InvariantCulture));

        /// <summary>A text in quotes where it needs them; spreadsheets take what begins with =, +, - or @ for a formula.</summary>
        private static StringBuilder Text(StringBuilder to, string text)
        {
            if (text.Length > 0 && "=+-@".IndexOf(text[0]) >= 0) text = "'" + text;
            return text.IndexOfAny(new[] { ',', '"', '\n', '\r' }) < 0
                ? to.Append(text)
                : to.Append('"').Append(text.Replace("\"", "\"\"")).Append('"');
        }
    }
}
